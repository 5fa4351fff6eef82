"""The outside world on this machine: a virtual board, a room with a person, a realtime service.

Shares no code with the app: a codec shared by both sides would agree with its own bugs.
"""
