"""What programs send and get. Input refuses fields that it does not know: a typo is said, not swallowed."""
