"""The web chat: a socket, the hosted page `/chat` and the widget that other websites embed.

The transcript is the delivery. Every message is a row with a `seq` before a socket hears of it; a socket is told what
lies behind the last `seq` it has, in order, once, whether it stayed, came back, or is one of several tabs. So a lost
frame, process or notification costs a moment and never a message.
"""

from bot.channels.web.channel import Acknowledge, History, Limits, ReceiveWeb, WebChannel
from bot.channels.web.frames import LONGEST_TEXT, WebMessage
from bot.channels.web.page import PhoneNumbers, Words, WordsError, load_words

__all__ = [
    "LONGEST_TEXT",
    "Acknowledge",
    "History",
    "Limits",
    "PhoneNumbers",
    "ReceiveWeb",
    "WebChannel",
    "WebMessage",
    "Words",
    "WordsError",
    "load_words",
]
