# The whole architecture: page and views on S3 behind CloudFront, accounts in Cognito, events to SNS and SQS, and the server on EC2.

module "identity" {
  source = "../identity"

  name         = var.name
  domain       = var.domain
  login_prefix = var.login_prefix
  hook_url     = var.hook_url
  tags         = local.tags
}

module "queues" {
  source = "../queues"

  name         = var.name
  queues       = var.queues
  functions    = values(var.functions)
  alarm_topics = var.alarm_topics
  tags         = local.tags
}

# The client's secret is in Terraform's state as well: keep the state private.
resource "aws_ssm_parameter" "oidc_secret" {
  #checkov:skip=CKV_AWS_337:The AWS managed key encrypts it; only this account reads it.
  name  = "/${var.name}/oidc.secret"
  type  = "SecureString"
  value = module.identity.client_secret
  tags  = local.tags
}

module "host" {
  source = "../host"

  name              = var.name
  vpc_id            = aws_vpc.this.id
  vpc_cidr          = local.vpc_cidr
  subnet_id         = aws_subnet.private.id
  availability_zone = local.zone
  release           = var.release
  key_name          = var.key_name
  tags              = local.tags

  configuration = templatefile("${path.module}/crowbar.toml.tftpl", {
    domain      = var.domain
    vpc_cidr    = local.vpc_cidr
    issuer      = module.identity.issuer
    client_id   = module.identity.client_id
    admin_group = module.identity.admin_group
    bucket      = var.bucket
    region      = var.region
  })

  plugins = {
    aws = templatefile("${path.module}/aws.toml.tftpl", { topic_arn = module.queues.topic_arn, functions = var.functions })
  }

  secrets = { "oidc.secret" = aws_ssm_parameter.oidc_secret.name }

  policies = {
    publish = module.site.publisher_policy
    events  = module.queues.publisher_policy
  }

  ssh_security_groups = { connect = aws_security_group.ssh.id }
}

module "site" {
  source = "../site"

  bucket          = var.bucket
  domain          = var.domain
  certificate_arn = aws_acm_certificate_validation.chat.certificate_arn
  host_arn        = module.host.instance_arn
  host_name       = module.host.private_dns
  tags            = local.tags
}

# CloudFront reads certificates in us-east-1.
resource "aws_acm_certificate" "chat" {
  region            = "us-east-1"
  domain_name       = var.domain
  validation_method = "DNS"
  tags              = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # One name, so one record.
  validation = tolist(aws_acm_certificate.chat.domain_validation_options)[0]
}

resource "aws_route53_record" "validation" {
  zone_id         = var.zone_id
  name            = local.validation.resource_record_name
  type            = local.validation.resource_record_type
  records         = [local.validation.resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "chat" {
  region                  = "us-east-1"
  certificate_arn         = aws_acm_certificate.chat.arn
  validation_record_fqdns = [aws_route53_record.validation.fqdn]
}

resource "aws_route53_record" "chat" {
  for_each = toset(["A", "AAAA"])

  zone_id = var.zone_id
  name    = var.domain
  type    = each.value

  alias {
    name                   = module.site.distribution_domain
    zone_id                = module.site.distribution_zone_id
    evaluate_target_health = false
  }
}
