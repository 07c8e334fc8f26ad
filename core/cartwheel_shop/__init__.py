"""The shop: users, catalogue, carts, orders, payments, inventory and notifications."""
