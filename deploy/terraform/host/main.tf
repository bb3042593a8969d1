# One instance that runs Crowbar, in a private subnet, with its log on a volume of its own that outlives the instance.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

# Debian publishes the ids of its images as parameters of this name.
data "aws_ssm_parameter" "image" {
  name = "/aws/service/debian/release/12/latest/${var.architecture}"
}

data "aws_ec2_managed_prefix_list" "cloudfront" {
  name = "com.amazonaws.global.cloudfront.origin-facing"
}

locals {
  arn_prefix = "arn:${data.aws_partition.this.partition}"
  user_data = templatefile("${path.module}/files/user-data.sh.tftpl", {
    release       = var.release
    region        = data.aws_region.this.region
    volume_id     = aws_ebs_volume.data.id
    configuration = var.configuration
    plugins       = var.plugins
    secrets       = var.secrets
    unit          = file("${path.module}/../../systemd/crowbar.service")
    users         = file("${path.module}/../../systemd/crowbar.sysusers")
    credentials   = file("${path.module}/files/crowbar-credentials")
  })
}

resource "aws_security_group" "host" {
  name        = var.name
  description = "Crowbar: requests from CloudFront only"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = var.name })
}

resource "aws_vpc_security_group_ingress_rule" "cloudfront" {
  security_group_id = aws_security_group.host.id
  description       = "CloudFront"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.cloudfront.id
  ip_protocol       = "tcp"
  from_port         = 8080
  to_port           = 8080
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  #checkov:skip=CKV_AWS_24:The rule names a security group, not an address range; the check does not know the argument.
  for_each = var.ssh_security_groups

  security_group_id            = aws_security_group.host.id
  description                  = "ssh from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 22
  to_port                      = 22
}

resource "aws_vpc_security_group_egress_rule" "tcp" {
  for_each = toset([for port in var.egress_ports : tostring(port)])

  security_group_id = aws_security_group.host.id
  description       = "TCP port ${each.value}"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
}

resource "aws_iam_role" "host" {
  name = var.name
  tags = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "host" {
  for_each = var.policies

  name   = each.key
  role   = aws_iam_role.host.id
  policy = each.value
}

resource "aws_iam_role_policy" "start" {
  name = "start"
  role = aws_iam_role.host.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Release"
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = "${local.arn_prefix}:s3:::${trimprefix(var.release.uri, "s3://")}"
        },
      ],
      length(var.secrets) == 0 ? [] : [
        {
          Sid      = "Secrets"
          Effect   = "Allow"
          Action   = ["ssm:GetParameter"]
          Resource = [for parameter in values(var.secrets) : "${local.arn_prefix}:ssm:${data.aws_region.this.region}:${data.aws_caller_identity.this.account_id}:parameter${parameter}"]
        },
      ]
    )
  })
}

resource "aws_iam_instance_profile" "host" {
  name = var.name
  role = aws_iam_role.host.name
  tags = var.tags
}

resource "aws_ebs_volume" "data" {
  #checkov:skip=CKV_AWS_189:The AWS managed key encrypts the volume. A key of this account would make its loss possible.
  availability_zone = var.availability_zone
  size              = var.volume_size
  type              = "gp3"
  encrypted         = true
  tags              = merge(var.tags, { Name = "${var.name}-data", Snapshots = var.name })

  # The log is here: neither a new instance nor 'terraform destroy' removes it.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_instance" "host" {
  #checkov:skip=CKV2_AWS_41:The instance has a profile; the check does not follow the reference.
  ami                         = data.aws_ssm_parameter.image.value
  instance_type               = var.instance_type
  subnet_id                   = var.subnet_id
  vpc_security_group_ids      = [aws_security_group.host.id]
  iam_instance_profile        = aws_iam_instance_profile.host.name
  associate_public_ip_address = false
  ebs_optimized               = true
  monitoring                  = true
  key_name                    = var.key_name == "" ? null : var.key_name
  user_data_base64            = base64gzip(local.user_data)
  user_data_replace_on_change = true
  tags                        = merge(var.tags, { Name = var.name })

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = 10
    encrypted   = true
  }

  # A new image of Debian does not replace a running instance. 'apt upgrade' keeps it current.
  lifecycle {
    ignore_changes = [ami]
  }

  depends_on = [aws_iam_role_policy.start]
}

resource "aws_volume_attachment" "data" {
  device_name                    = "/dev/sdf"
  volume_id                      = aws_ebs_volume.data.id
  instance_id                    = aws_instance.host.id
  stop_instance_before_detaching = true
}

resource "aws_iam_role" "snapshots" {
  name = "${var.name}-snapshots"
  tags = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "dlm.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "snapshots" {
  role       = aws_iam_role.snapshots.name
  policy_arn = "${local.arn_prefix}:iam::aws:policy/service-role/AWSDataLifecycleManagerServiceRole"
}

resource "aws_dlm_lifecycle_policy" "snapshots" {
  #checkov:skip=CKV_AWS_253:Snapshots are not copied to another region; they are encrypted as the volume is.
  #checkov:skip=CKV_AWS_255:Snapshots are not shared or copied; they are encrypted as the volume is.
  description        = "Daily snapshots of ${var.name}-data"
  execution_role_arn = aws_iam_role.snapshots.arn
  state              = "ENABLED"
  tags               = var.tags

  policy_details {
    resource_types = ["VOLUME"]
    target_tags    = { Snapshots = var.name }

    schedule {
      name      = "daily"
      copy_tags = true

      create_rule {
        interval      = 24
        interval_unit = "HOURS"
        times         = ["03:00"]
      }

      retain_rule {
        count = var.snapshot_days
      }
    }
  }
}
