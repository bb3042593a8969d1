output "topic_arn" {
  description = "The ARN of the topic: a target of crowbar-aws."
  value       = aws_sns_topic.events.arn
}

output "queue_arns" {
  description = "The ARNs of the queues, by name."
  value       = { for name, queue in aws_sqs_queue.events : name => queue.arn }
}

output "queue_urls" {
  description = "The URLs of the queues, by name."
  value       = { for name, queue in aws_sqs_queue.events : name => queue.url }
}

output "dead_letter_queue_arns" {
  description = "The ARNs of the dead-letter queues, by name."
  value       = { for name, queue in aws_sqs_queue.dead : name => queue.arn }
}

output "key_arn" {
  description = "The ARN of the key that encrypts the topic. Publishers of other accounts need kms:GenerateDataKey* and kms:Decrypt on it in their own policy too."
  value       = aws_kms_key.topic.arn
}

output "publisher_policy" {
  description = "The policy that crowbar-aws needs to publish here and to invoke `functions`, as JSON."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Publish"
          Effect   = "Allow"
          Action   = "sns:Publish"
          Resource = aws_sns_topic.events.arn
        },
        {
          Sid      = "Encrypt"
          Effect   = "Allow"
          Action   = ["kms:GenerateDataKey*", "kms:Decrypt"]
          Resource = aws_kms_key.topic.arn
        },
      ],
      length(var.functions) == 0 ? [] : [
        {
          Sid      = "Invoke"
          Effect   = "Allow"
          Action   = ["lambda:InvokeFunction"]
          Resource = var.functions
        },
      ]
    )
  })
}
