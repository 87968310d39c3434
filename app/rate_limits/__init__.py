"""Rate limits: what is counted of whom, in Redis for all API processes together. It knows nothing of HTTP.

app.api.frame.rate_limits and app.api.lane ask it before they do anything for a request.
"""
