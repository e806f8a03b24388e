"""What mustn't leave the machine, taken out of texts: credentials always; personal data where that is wished.

Pure functions of text. A mark stands where something was: `[redacted email]`.
"""
