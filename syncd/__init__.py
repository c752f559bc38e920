"""syncd: brings every lead into Salesforce once, within seconds, never over a person's own edit."""

__version__ = "0.1.0"
