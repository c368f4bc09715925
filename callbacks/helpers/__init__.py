"""What the callbacks share: when to act, what to ask of a model, where and how to write."""
