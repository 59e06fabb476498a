"""What a deployment admits, worked out from its events: audited, and simulated before a change."""
