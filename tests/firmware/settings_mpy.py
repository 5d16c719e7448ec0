import json

import settings

try:
    settings.load()
    print("null")
except settings.ConfigError as error:
    print(json.dumps(str(error)))
