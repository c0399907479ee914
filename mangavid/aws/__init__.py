"""AWS as a target: the adapters of the ports on DynamoDB, S3, Step Functions, EC2 and SSM."""
