"""Click attribution and server-side conversion events for click-to-WhatsApp ads."""

__version__ = "0.1.0"
