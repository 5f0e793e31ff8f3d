"""A simulated charging network: chargers, cars and their troubles, over real OCPP sockets. It shares no code with the bridge."""
