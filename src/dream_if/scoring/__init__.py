"""The one engine that scores: methods on test sets under conditions, and what many scores say together."""
