"""All that is known at one scale as a page that needs nothing but itself."""
