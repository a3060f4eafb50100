"""Who may do what at broker and database: one user a service, with the narrowest rights that it works with.

What stands in ops/rabbitmq/definitions.json and ops/mongo/users.json is all but the passwords. Those are made here, once,
and kept as files that only their readers get. Nothing but Python's standard library is needed, except by
database_users.py."""
