"""What columns hold, asked of the warehouse through the user's own dbt: shares and counts, never rows.

Of private columns only how many values there are is asked: the values themselves stay where they are.
"""
