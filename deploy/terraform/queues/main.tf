# One SNS FIFO topic, and for each plugin an SQS FIFO queue with a dead-letter queue. crowbar-aws publishes to the topic.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  account_root = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root"
  functions    = { for name, queue in var.queues : name => queue.function if queue.function != "" }
}

# SNS encrypts with a key of this account: publishers of other accounts cannot use the AWS managed key.
resource "aws_kms_key" "topic" {
  description             = "Messages of the topic ${var.name}.fifo"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "Administration"
          Effect    = "Allow"
          Principal = { AWS = local.account_root }
          Action    = "kms:*"
          Resource  = "*"
        },
      ],
      [
        for arn in var.publishers : {
          Sid       = "Publisher${index(var.publishers, arn)}"
          Effect    = "Allow"
          Principal = { AWS = arn }
          Action    = ["kms:GenerateDataKey*", "kms:Decrypt"]
          Resource  = "*"
        }
      ]
    )
  })
}

resource "aws_sns_topic" "events" {
  name                        = "${var.name}.fifo"
  fifo_topic                  = true
  content_based_deduplication = false
  fifo_throughput_scope       = "MessageGroup"
  kms_master_key_id           = aws_kms_key.topic.arn
  tags                        = var.tags
}

resource "aws_sns_topic_policy" "events" {
  arn = aws_sns_topic.events.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "OnlyTLS"
          Effect    = "Deny"
          Principal = { AWS = "*" }
          Action    = "sns:Publish"
          Resource  = aws_sns_topic.events.arn
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          Sid       = "Owner"
          Effect    = "Allow"
          Principal = { AWS = local.account_root }
          Action = [
            "sns:GetTopicAttributes", "sns:SetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:Subscribe", "sns:Publish",
            "sns:AddPermission", "sns:RemovePermission", "sns:DeleteTopic",
          ]
          Resource = aws_sns_topic.events.arn
        },
      ],
      [
        for arn in var.publishers : {
          Sid       = "Publisher${index(var.publishers, arn)}"
          Effect    = "Allow"
          Principal = { AWS = arn }
          Action    = "sns:Publish"
          Resource  = aws_sns_topic.events.arn
        }
      ]
    )
  })
}

resource "aws_sqs_queue" "dead" {
  for_each = var.queues

  name                      = "${var.name}-${each.key}-dead.fifo"
  fifo_queue                = true
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_sqs_queue" "events" {
  for_each = var.queues

  name                        = "${var.name}-${each.key}.fifo"
  fifo_queue                  = true
  content_based_deduplication = false
  # Crowbar's message group is the channel: order and throughput are per channel.
  deduplication_scope        = "messageGroup"
  fifo_throughput_limit      = "perMessageGroupId"
  message_retention_seconds  = 1209600
  visibility_timeout_seconds = var.visibility_timeout
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true
  tags                       = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead[each.key].arn
    maxReceiveCount     = var.max_receives
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  for_each = var.queues

  queue_url = aws_sqs_queue.dead[each.key].url

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.events[each.key].arn]
  })
}

resource "aws_sqs_queue_policy" "events" {
  for_each = var.queues

  queue_url = aws_sqs_queue.events[each.key].url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "OnlyTLS"
          Effect    = "Deny"
          Principal = { AWS = "*" }
          Action    = "sqs:*"
          Resource  = aws_sqs_queue.events[each.key].arn
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          Sid       = "Topic"
          Effect    = "Allow"
          Principal = { Service = "sns.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = aws_sqs_queue.events[each.key].arn
          Condition = { ArnEquals = { "aws:SourceArn" = aws_sns_topic.events.arn } }
        },
      ],
      [
        for arn in each.value.readers : {
          Sid       = "Reader${index(each.value.readers, arn)}"
          Effect    = "Allow"
          Principal = { AWS = arn }
          Action = [
            "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
          ]
          Resource = aws_sqs_queue.events[each.key].arn
        }
      ]
    )
  })
}

# What SNS cannot deliver to the queue itself goes to the same dead-letter queue.
resource "aws_sqs_queue_policy" "dead" {
  for_each = var.queues

  queue_url = aws_sqs_queue.dead[each.key].url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTLS"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.dead[each.key].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "Topic"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.dead[each.key].arn
        Condition = { ArnEquals = { "aws:SourceArn" = aws_sns_topic.events.arn } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "events" {
  for_each = var.queues

  topic_arn            = aws_sns_topic.events.arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.events[each.key].arn
  raw_message_delivery = true
  # crowbar-aws sends no message attributes, so the filter reads the event itself.
  filter_policy_scope = length(each.value.types) > 0 ? "MessageBody" : null
  filter_policy       = length(each.value.types) > 0 ? jsonencode({ type = each.value.types }) : null
  redrive_policy      = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead[each.key].arn })

  # SNS confirms a subscription only if the queue accepts its messages.
  depends_on = [aws_sqs_queue_policy.events, aws_sqs_queue_policy.dead]
}

resource "aws_lambda_event_source_mapping" "events" {
  for_each = local.functions

  event_source_arn        = aws_sqs_queue.events[each.key].arn
  function_name           = each.value
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]
  tags                    = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead" {
  for_each = var.queues

  alarm_name          = "${var.name}-${each.key}-dead-letters"
  alarm_description   = "Messages of ${var.name}-${each.key}.fifo could not be processed. Read them in its dead-letter queue, and redrive them."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead[each.key].name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topics
  tags                = var.tags
}
