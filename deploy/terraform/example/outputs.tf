output "url" {
  description = "The address of the chat."
  value       = "https://${var.domain}/"
}

output "instance_id" {
  description = "The instance, for 'aws ec2-instance-connect ssh'."
  value       = module.host.instance_id
}

output "login_url" {
  description = "Cognito's sign-in page."
  value       = module.identity.login_url
}

output "queue_urls" {
  description = "The queues' URLs, by name."
  value       = module.queues.queue_urls
}
