"""The pages of ``underlay explain``: one Markdown file a family, one section a code."""
