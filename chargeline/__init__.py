"""What every Chargeline process shares: settings, logs, clock, ids, stores' engines, HTTP problem details."""
