# A private bucket with the page and the published views, and CloudFront in front of the bucket and the server: one origin for
# browsers, so no CORS.

locals {
  page  = var.page == "" ? "${path.module}/../../../Sources/CrowbarPage/Files" : var.page
  files = fileset(local.page, "**")
  # The same name as the server's own page has.
  release = substr(sha256(join("", [for file in local.files : "${file} ${filesha256("${local.page}/${file}")}\n"])), 0, 16)
  types = {
    html = "text/html; charset=utf-8"
    css  = "text/css; charset=utf-8"
    js   = "text/javascript; charset=utf-8"
    json = "application/json"
    svg  = "image/svg+xml"
    txt  = "text/plain; charset=utf-8"
  }
}

resource "aws_s3_bucket" "site" {
  #checkov:skip=CKV_AWS_144:The bucket holds copies only. The page is in the repository and the views come from the log.
  #checkov:skip=CKV_AWS_18:Access logs of S3 would name paths that CloudFront serves anyway.
  #checkov:skip=CKV2_AWS_62:Nothing reacts to changes of the bucket.
  #checkov:skip=CKV_AWS_145:The content is public. SSE-S3 encrypts it without a key that CloudFront must be allowed to use.
  bucket = var.bucket
  tags   = var.tags
}

resource "aws_s3_bucket_public_access_block" "site" {
  bucket                  = aws_s3_bucket.site.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "site" {
  bucket = aws_s3_bucket.site.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "site" {
  bucket = aws_s3_bucket.site.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "site" {
  bucket = aws_s3_bucket.site.id

  versioning_configuration {
    status = "Enabled"
  }
}

# Views are rewritten up to once a second. Old versions are of no use after a few days.
resource "aws_s3_bucket_lifecycle_configuration" "site" {
  bucket = aws_s3_bucket.site.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 1
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.site]
}

resource "aws_s3_bucket_policy" "site" {
  bucket = aws_s3_bucket.site.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTLS"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.site.arn, "${aws_s3_bucket.site.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "CloudFront"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = "s3:GetObject"
        Resource  = "${aws_s3_bucket.site.arn}/*"
        Condition = { StringEquals = { "aws:SourceArn" = aws_cloudfront_distribution.site.arn } }
      },
      {
        # With this right S3 answers 404 for an object that does not exist, and 403 without it.
        Sid       = "CloudFrontNotFound"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = "s3:ListBucket"
        Resource  = aws_s3_bucket.site.arn
        Condition = { StringEquals = { "aws:SourceArn" = aws_cloudfront_distribution.site.arn } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.site]
}

resource "aws_s3_object" "page" {
  #checkov:skip=CKV_AWS_186:The page is public; see the bucket's encryption.
  for_each = toset([for file in local.files : file if file != "index.html"])

  bucket        = aws_s3_bucket.site.id
  key           = "p/${local.release}/${each.value}"
  source        = "${local.page}/${each.value}"
  source_hash   = filemd5("${local.page}/${each.value}")
  content_type  = lookup(local.types, reverse(split(".", each.value))[0], "application/octet-stream")
  cache_control = "public, max-age=31536000, immutable"
}

resource "aws_s3_object" "index" {
  #checkov:skip=CKV_AWS_186:The page is public; see the bucket's encryption.
  bucket        = aws_s3_bucket.site.id
  key           = "index.html"
  content       = replace(replace(file("${local.page}/index.html"), "{{modules}}\n", ""), "{{release}}", local.release)
  content_type  = local.types.html
  cache_control = "no-cache"

  # The new index is visible only when its files are.
  depends_on = [aws_s3_object.page]
}

resource "aws_s3_object" "config" {
  #checkov:skip=CKV_AWS_186:The page is public; see the bucket's encryption.
  bucket        = aws_s3_bucket.site.id
  key           = "config.json"
  content       = "{\"api\":\"\"}\n"
  content_type  = local.types.json
  cache_control = "no-cache"
}

resource "aws_cloudfront_origin_access_control" "site" {
  name                              = var.bucket
  description                       = "CloudFront reads the bucket ${var.bucket}"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# CloudFront reaches the instance inside the VPC: it needs no public address, and nobody goes around CloudFront.
resource "aws_cloudfront_vpc_origin" "host" {
  vpc_origin_endpoint_config {
    name                   = replace(var.domain, ".", "-")
    arn                    = var.host_arn
    http_port              = var.host_port
    https_port             = 443
    origin_protocol_policy = "http-only"

    origin_ssl_protocols {
      items    = ["TLSv1.2"]
      quantity = 1
    }
  }

  tags = var.tags
}

resource "aws_cloudfront_function" "views" {
  name    = "${replace(var.domain, ".", "-")}-views"
  comment = "Sends callers with a token from the bucket to the server"
  runtime = "cloudfront-js-2.0"
  publish = true
  code    = file("${path.module}/views.js")
}

# The same headers as the server gives with the page.
resource "aws_cloudfront_response_headers_policy" "page" {
  #checkov:skip=CKV_AWS_259:The check wants 'preload', which enters the domain in a list of browsers that it hardly leaves again.
  name = "${replace(var.domain, ".", "-")}-page"

  security_headers_config {
    content_security_policy {
      content_security_policy = join("; ", [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
      ])
      override = true
    }

    content_type_options {
      override = true
    }

    frame_options {
      frame_option = "DENY"
      override     = true
    }

    referrer_policy {
      referrer_policy = "no-referrer"
      override        = true
    }

    strict_transport_security {
      access_control_max_age_sec = 31536000
      include_subdomains         = true
      override                   = true
    }
  }
}

data "aws_cloudfront_cache_policy" "disabled" {
  name = "Managed-CachingDisabled"
}

data "aws_cloudfront_cache_policy" "optimized" {
  name = "Managed-CachingOptimized"
}

data "aws_cloudfront_origin_request_policy" "viewer" {
  name = "Managed-AllViewer"
}

data "aws_cloudfront_origin_request_policy" "viewer_except_host" {
  name = "Managed-AllViewerExceptHostHeader"
}

resource "aws_cloudfront_distribution" "site" {
  #checkov:skip=CKV_AWS_86:The paths of hooks are secrets, and access logs would hold them.
  #checkov:skip=CKV_AWS_68:A web ACL costs money and is optional: variable web_acl_arn.
  #checkov:skip=CKV2_AWS_47:A web ACL is optional: variable web_acl_arn. Crowbar is not written in Java.
  #checkov:skip=CKV_AWS_310:There is one server and one bucket, so there is no origin to fail over to.
  #checkov:skip=CKV_AWS_374:A chat has users in all countries.
  #checkov:skip=CKV2_AWS_32:The page has a response headers policy. The server sets the headers of its own answers.
  enabled             = true
  comment             = "Crowbar at ${var.domain}"
  aliases             = [var.domain]
  default_root_object = "index.html"
  http_version        = "http2and3"
  is_ipv6_enabled     = true
  price_class         = var.price_class
  web_acl_id          = var.web_acl_arn == "" ? null : var.web_acl_arn
  tags                = var.tags

  origin {
    origin_id                = "bucket"
    domain_name              = aws_s3_bucket.site.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.site.id
  }

  # An event stream sends a line at least every 15 seconds; CloudFront waits 60.
  origin {
    origin_id   = "host"
    domain_name = var.host_name

    vpc_origin_config {
      vpc_origin_id            = aws_cloudfront_vpc_origin.host.id
      origin_read_timeout      = 60
      origin_keepalive_timeout = 60
    }
  }

  # The page.
  default_cache_behavior {
    target_origin_id           = "bucket"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = data.aws_cloudfront_cache_policy.optimized.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.page.id
  }

  # Compression would hold events back until a block is full.
  ordered_cache_behavior {
    path_pattern             = "/api/*"
    target_origin_id         = "host"
    viewer_protocol_policy   = "https-only"
    allowed_methods          = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods           = ["GET", "HEAD"]
    compress                 = false
    cache_policy_id          = data.aws_cloudfront_cache_policy.disabled.id
    origin_request_policy_id = data.aws_cloudfront_origin_request_policy.viewer.id
  }

  ordered_cache_behavior {
    path_pattern             = "/hooks/*"
    target_origin_id         = "host"
    viewer_protocol_policy   = "https-only"
    allowed_methods          = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods           = ["GET", "HEAD"]
    compress                 = false
    cache_policy_id          = data.aws_cloudfront_cache_policy.disabled.id
    origin_request_policy_id = data.aws_cloudfront_origin_request_policy.viewer.id
  }

  # S3 does not accept the viewer's Host, so the server gets its own name here: [http] hosts must list it.
  ordered_cache_behavior {
    path_pattern             = "/views/*"
    target_origin_id         = "bucket"
    viewer_protocol_policy   = "https-only"
    allowed_methods          = ["GET", "HEAD", "OPTIONS"]
    cached_methods           = ["GET", "HEAD"]
    compress                 = true
    cache_policy_id          = data.aws_cloudfront_cache_policy.disabled.id
    origin_request_policy_id = data.aws_cloudfront_origin_request_policy.viewer_except_host.id

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.views.arn
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    acm_certificate_arn      = var.certificate_arn
    minimum_protocol_version = "TLSv1.2_2021"
    ssl_support_method       = "sni-only"
  }
}
