"""What Ansible makes of inventories: one folder and inventory a line on standard input, one JSON document a line as answer."""

import json
import sys

from ansible import constants
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import connection_loader
from ansible.vars.manager import VariableManager

# The options of the SSH plugin, as its documentation calls them.
OPTIONS = ("host", "remote_user", "port", "private_key_file")


# A plugin's options are known once it is loaded.
connection_loader.get("ssh", class_only=True)


def option(name, variables, configuration):
    """What the plugin takes: the same question that Ansible asks before it connects."""
    value = constants.config.get_config_value(
        name, plugin_type="connection", plugin_name="ssh", variables=variables, cfile=configuration
    )
    return None if value is None else str(value)


def answer(inventory, configuration):
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[inventory])
    version = {"string": "0", "full": "0", "major": 0, "minor": 0, "revision": 0}
    variables = VariableManager(loader=loader, inventory=manager, version_info=version)
    hosts = {}
    for host in manager.get_hosts("all"):
        # As `ansible-inventory --list` asks for them.
        own = variables.get_vars(host=host, include_hostvars=False, stage="all")
        hosts[host.name] = {name: option(name, own, configuration) for name in OPTIONS}
    groups = {name: [host.name for host in group.get_hosts()] for name, group in manager.groups.items()}
    return {"hosts": hosts, "groups": groups}


for line in sys.stdin:
    inventory, configuration = json.loads(line)
    try:
        said = answer(inventory, configuration)
    except Exception as error:  # An inventory that Ansible refuses is an answer too.
        said = {"error": str(error)}
    print(json.dumps(said), flush=True)
