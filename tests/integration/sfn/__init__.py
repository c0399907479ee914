"""The differential test of our engine against moto's interpreter: harness, scenarios, moto's known defects."""
