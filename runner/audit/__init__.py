"""Does each execution have its decision, each decision its pack, each merge its verdict?"""
