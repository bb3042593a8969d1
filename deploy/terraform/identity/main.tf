# A Cognito user pool, its client for Crowbar, and a function that registers a user in Crowbar when an account is confirmed.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  function = "${var.name}-post-confirmation"
  # Whether there is a hook is no secret.
  has_hook = nonsensitive(var.hook_url != "")
  log_arn  = "arn:${data.aws_partition.this.partition}:logs:${data.aws_region.this.region}:${data.aws_caller_identity.this.account_id}:log-group:/aws/lambda/${local.function}"
}

resource "aws_cognito_user_pool" "users" {
  name                     = var.name
  username_attributes      = ["email"]
  auto_verified_attributes = ["email"]
  deletion_protection      = "ACTIVE"
  mfa_configuration        = "OPTIONAL"
  tags                     = var.tags

  username_configuration {
    case_sensitive = false
  }

  software_token_mfa_configuration {
    enabled = true
  }

  password_policy {
    minimum_length                   = 12
    require_lowercase                = true
    require_numbers                  = true
    require_symbols                  = true
    require_uppercase                = true
    temporary_password_validity_days = 7
  }

  admin_create_user_config {
    allow_admin_create_user_only = !var.self_registration
  }

  account_recovery_setting {
    recovery_mechanism {
      name     = "verified_email"
      priority = 1
    }
  }

  user_attribute_update_settings {
    attributes_require_verification_before_update = ["email"]
  }

  dynamic "lambda_config" {
    for_each = aws_lambda_function.hook

    content {
      post_confirmation = lambda_config.value.arn
    }
  }
}

resource "aws_cognito_user_pool_client" "crowbar" {
  name         = "crowbar"
  user_pool_id = aws_cognito_user_pool.users.id

  generate_secret                      = true
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_scopes                 = ["openid", "profile", "email"]
  supported_identity_providers         = ["COGNITO"]
  callback_urls                        = ["https://${var.domain}/"]
  logout_urls                          = ["https://${var.domain}/"]
  explicit_auth_flows                  = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
  prevent_user_existence_errors        = "ENABLED"
  enable_token_revocation              = true
  access_token_validity                = 60
  id_token_validity                    = 60
  refresh_token_validity               = 30

  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "days"
  }
}

resource "aws_cognito_user_pool_domain" "login" {
  domain       = var.login_prefix
  user_pool_id = aws_cognito_user_pool.users.id
}

resource "aws_cognito_user_group" "admins" {
  name         = var.admin_group
  description  = "Admins of Crowbar"
  user_pool_id = aws_cognito_user_pool.users.id
}

data "archive_file" "hook" {
  type        = "zip"
  source_file = "${path.module}/handler.py"
  output_path = "${path.root}/.terraform/${local.function}.zip"
}

resource "aws_kms_key" "hook" {
  count = local.has_hook ? 1 : 0

  description             = "The hook's address in the environment of ${local.function}, and its log"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Administration"
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Log"
        Effect    = "Allow"
        Principal = { Service = "logs.${data.aws_region.this.region}.amazonaws.com" }
        Action    = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        Resource  = "*"
        Condition = { ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = local.log_arn } }
      },
    ]
  })
}

resource "aws_cloudwatch_log_group" "hook" {
  #checkov:skip=CKV_AWS_338:The days are a variable; the default is a year.
  count = local.has_hook ? 1 : 0

  name              = "/aws/lambda/${local.function}"
  retention_in_days = var.log_days
  kms_key_id        = aws_kms_key.hook[0].arn
  tags              = var.tags
}

resource "aws_iam_role" "hook" {
  count = local.has_hook ? 1 : 0

  name = local.function
  tags = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "hook" {
  count = local.has_hook ? 1 : 0

  name = "log"
  role = aws_iam_role.hook[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.hook[0].arn}:*"
      },
      {
        Sid      = "Environment"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = aws_kms_key.hook[0].arn
      },
    ]
  })
}

resource "aws_lambda_function" "hook" {
  #checkov:skip=CKV_AWS_50:The function makes one request; its log says all that a trace would.
  #checkov:skip=CKV_AWS_116:Cognito calls the function and waits, so a dead-letter queue is never used.
  #checkov:skip=CKV_AWS_117:The function calls a public address and needs nothing of a VPC.
  #checkov:skip=CKV_AWS_272:The source is one file of this repository, which the person who applies this can read.
  #checkov:skip=CKV_AWS_115:New accounts have too few concurrent executions to reserve some. Cognito limits the rate of sign-ups.
  count = local.has_hook ? 1 : 0

  function_name    = local.function
  description      = "Registers a confirmed user in Crowbar"
  role             = aws_iam_role.hook[0].arn
  filename         = data.archive_file.hook.output_path
  source_code_hash = data.archive_file.hook.output_base64sha256
  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = "handler.handler"
  # Cognito waits five seconds for an answer.
  timeout     = 5
  memory_size = 128
  kms_key_arn = aws_kms_key.hook[0].arn
  tags        = var.tags

  environment {
    variables = {
      HOOK_URL = var.hook_url
    }
  }

  depends_on = [aws_cloudwatch_log_group.hook, aws_iam_role_policy.hook]
}

resource "aws_lambda_permission" "hook" {
  count = local.has_hook ? 1 : 0

  statement_id  = "Cognito"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.hook[0].function_name
  principal     = "cognito-idp.amazonaws.com"
  source_arn    = aws_cognito_user_pool.users.arn
}
