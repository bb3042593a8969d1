# The Lambda function that tells Crowbar of new users of a Cognito user pool (docs/oidc.md).
#
# The pool's owner sets it as the trigger: in the resource aws_cognito_user_pool,
#   lambda_config { post_confirmation = module.crowbar_identity.function_arn }

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws     = { source = "hashicorp/aws", version = ">= 5.0" }
    archive = { source = "hashicorp/archive", version = ">= 2.4" }
  }
}

variable "hook_url" {
  description = "The server's address with the path that 'crowbar hooks add NAME --kind cognito' printed."
  type        = string
  sensitive   = true

  validation {
    condition     = startswith(var.hook_url, "https://")
    error_message = "The address must begin with https://."
  }
}

variable "user_pool_arn" {
  description = "The user pool that may call the function."
  type        = string
}

variable "name" {
  description = "The function's name."
  type        = string
  default     = "crowbar-identity"
}

data "archive_file" "function" {
  type        = "zip"
  source_file = "${path.module}/handler.py"
  output_path = "${path.root}/.terraform/${var.name}.zip"
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

# Logs alone.
resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.function.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_lambda_function" "function" {
  function_name    = var.name
  role             = aws_iam_role.function.arn
  runtime          = "python3.12"
  handler          = "handler.handler"
  filename         = data.archive_file.function.output_path
  source_code_hash = data.archive_file.function.output_base64sha256
  timeout          = 5

  environment {
    variables = { HOOK_URL = var.hook_url }
  }
}

resource "aws_lambda_permission" "cognito" {
  statement_id  = "cognito"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function.function_name
  principal     = "cognito-idp.amazonaws.com"
  source_arn    = var.user_pool_arn
}

output "function_arn" {
  description = "The function, for the pool's trigger post_confirmation."
  value       = aws_lambda_function.function.arn
}
