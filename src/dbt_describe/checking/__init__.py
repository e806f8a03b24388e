"""What is wrong with a project's descriptions, found without a model, a network or a warehouse."""
