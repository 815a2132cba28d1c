"""The model behind the Segmenter port: nnInteractive 2.6.0, in process.

Only this package knows torch and nnInteractive. ``segmenter.load_segmenter`` is its door; nothing is imported here, so
that a part without torch can be used without it.
"""
