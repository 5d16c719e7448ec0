"""Decodes the claim codes it is given on a file, one JSON list; prints each configuration or what is wrong."""

import json

import claim

answers = []
with open("codes.json") as file:
    for code in json.load(file):
        try:
            answers.append(claim.decode(code))
        except ValueError as error:
            answers.append(str(error))
print(json.dumps(answers))
