"""Starts the firmware."""


def run():
    """Run the firmware; its exit code."""
    import app

    return app.run()


if __name__ == "__main__":
    run()
