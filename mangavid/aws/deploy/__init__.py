"""Putting the pipeline on AWS and taking it away: CloudFormation change sets over the template of ``aws.stack``.

| module | its one job |
|---|---|
| ``site`` | which account, region and network, and who deploys |
| ``preflight``, ``actions`` | what is looked at before anything is changed |
| ``difference`` | two templates → what changes, in words a person can read |
| ``code`` | the bucket that code, templates and releases lie in |
| ``stack`` | one CloudFormation stack: read, mend, change, follow |
| ``failure`` | what really failed, out of all that is told |
| ``releases`` | what stood there when, and who put it there |
| ``apply`` | a deploy: plan, then put in force |
| ``fast`` | code and definition swapped, and nothing else |
| ``drift`` | what was changed by hand |
| ``destroy`` | all of it taken away, but for what is kept |

All can be stopped or killed at any moment and run again: what was uploaded is found, a change under way is followed to
its end, and what a first deploy left half-made is taken away and made anew.
"""
