"""What stands on AWS, as one CloudFormation template made from Python data: ``template.make(config, code)``.

Outside it, made by calls: the bucket for code (the template names what lies in it) and the secrets (CloudFormation
makes no SecureString parameters). No transform, no parameter that is looked up while deploying: what a deployment
changes shows in the difference of two templates.
"""
