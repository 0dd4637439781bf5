"""The one engine that scores: methods on test sets under conditions, and statistics of the scores."""
