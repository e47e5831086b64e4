"""OpenAI <-> Anthropic, pure: dicts in, new dicts out. No I/O, no Flask, no clock, no randomness.

The way out:  `messages_request(chat_request, ...)`   -> Translation (the Messages request, and how to answer)
The way back: `ChatAnswer(...)`, told whole (`chat_completion`) or as it comes (`ChatStream`); `openai_error(error)`
"""
