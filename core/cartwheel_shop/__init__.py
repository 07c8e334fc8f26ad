"""The shop: users, catalogue, carts, orders, payments, inventory, notifications, analytics."""
