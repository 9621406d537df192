"""`python -m spear_deploy.report > docs/report.schema.json`: the JSON Schema of `report.json`."""

import json

from spear_deploy.report.schema import Report

if __name__ == "__main__":
    print(json.dumps(Report.model_json_schema(), indent=2))
