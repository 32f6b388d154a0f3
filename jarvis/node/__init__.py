"""The running node: joins the rooms below and supervises them."""
