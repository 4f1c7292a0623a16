"""What libxml2 makes of XPath expressions: documents and expressions as JSON on stdin, results as JSON on stdout.

In: [{"xml": text, "namespaces": {prefix: namespace}, "expressions": [text]}]. Every element has an attribute `i`.
Out, for each document, for each expression: {"nodes": [ids in order]}, {"value": string(...)} or {"error": message}.
"""

import json
import sys

from lxml import etree


def name_of(node):
    if isinstance(node, etree._Element):
        return node.get("i")
    return node.getparent().get("i") + "/text()"


def evaluate(tree, expression, namespaces):
    try:
        # Without the root, which lxml has no object for.
        return {"nodes": [name_of(node) for node in tree.xpath("(%s)[..]" % expression, namespaces=namespaces)]}
    except etree.XPathError:
        pass
    try:
        return {"value": str(tree.xpath("string(%s)" % expression, namespaces=namespaces))}
    except etree.XPathError as error:
        return {"error": str(error)}


results = []
for document in json.load(sys.stdin):
    tree = etree.ElementTree(etree.fromstring(document["xml"]))
    results.append([evaluate(tree, text, document["namespaces"]) for text in document["expressions"]])
json.dump(results, sys.stdout)
