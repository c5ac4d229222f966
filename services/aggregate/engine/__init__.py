"""The windows of one partition: micro-batches are folded in, time moves them on. Pure."""
