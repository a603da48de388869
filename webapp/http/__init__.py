"""What views share: permissions, the current user, forms, rate limits, errors, the access log, metrics."""
