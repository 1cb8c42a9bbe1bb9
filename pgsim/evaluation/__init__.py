"""What is measured, judged and chosen: numpy on arrays, which knows no database."""
