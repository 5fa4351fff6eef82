"""The root: makes objects and connects them. Only this package knows everyone.

Nothing heavy is imported before it is needed: the window must be there in a moment, and
esptool, aiortc and numpy take most of a second each.
"""
