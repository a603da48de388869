"""What the API's views share: who calls, what they send, answers, problems, and the document that describes them."""
