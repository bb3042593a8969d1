output "bucket" {
  description = "The bucket's name. Crowbar publishes to s3://BUCKET/views."
  value       = aws_s3_bucket.site.id
}

output "distribution_id" {
  description = "The id of the CloudFront distribution."
  value       = aws_cloudfront_distribution.site.id
}

output "distribution_domain" {
  description = "The target of the DNS alias of `domain`."
  value       = aws_cloudfront_distribution.site.domain_name
}

output "distribution_zone_id" {
  description = "The hosted zone of the alias target."
  value       = aws_cloudfront_distribution.site.hosted_zone_id
}

output "publisher_policy" {
  description = "The policy that Crowbar needs to publish views to the bucket, as JSON."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # For the whole bucket: with a condition on the prefix, S3 answers 403 instead of 404 for an object that does not exist.
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = aws_s3_bucket.site.arn
      },
      {
        Sid      = "Views"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        Resource = "${aws_s3_bucket.site.arn}/views/*"
      },
    ]
  })
}
