"""Zero-code instrumentation: finds the frameworks that a program uses and switches on what sees them.

outcomes = agenttracer.instrument(api_url="http://localhost:4317")
agenttracer.uninstrument()
"""
