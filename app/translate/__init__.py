"""OpenAI <-> Anthropic, pure: dicts in, new dicts out. No I/O, no Flask, no clock, no randomness.

The way out:  `messages_request(chat_request, ...)`   -> Translation (the Messages request, and how to answer)
The way back: `ChatStream(...).feed(event)`, `folded(chunks, usage)`, `openai_error(error)`
"""
