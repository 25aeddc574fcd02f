"""``python -m agenttracer`` is the ``agenttracer`` command."""

import sys

from agenttracer.collector.cli.main import main

sys.exit(main())
