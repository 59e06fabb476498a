"""The revisions. What was released is never edited: a change is a new revision."""
