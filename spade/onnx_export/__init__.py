"""A generator as an ONNX file that takes label maps. Needs the extra [onnx].

The graph is written operator by operator rather than traced. torch's exporter (2.13) takes more than ten seconds of CPU
for the smallest generator, where this takes a tenth of one, and writes the folders of the machine into every node.
"""
