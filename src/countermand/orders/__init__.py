"""The families of orders, all of one shape.

Of a family, `model` says what an order is and may become (pure), `service` what a dialect may ask, `shard` and `state`
what is in memory, `rows` and `records` what a commit writes, `work` what committed orders are owed by the world.
"""
