"""Texts that decline to answer, and texts that merely speak of it."""

from __future__ import annotations

import pytest

from dpipe.runtime.refusals import is_refusal

REFUSALS = """
I'm sorry, but I can't help with that.
I’m sorry, but I can’t assist with that request.
I'm sorry, I can't help with that.
I'm sorry, but I cannot fulfill this request.
I'm really sorry, but I can't assist with that.
I'm very sorry, but I'm not able to provide that information.
Sorry, but I can't assist with that.
Sorry, I can't help with this one.
I apologize, but I cannot provide instructions for this.
I apologize, but I'm not able to help with that request.
My apologies, but I cannot continue with this conversation.
Unfortunately, I can't provide assistance with that.
Unfortunately, I am unable to complete this task.
I cannot assist with that request.
I can't help you with that.
I can't provide that kind of content.
I can’t create content that sexualizes minors.
I cannot generate content that promotes violence.
I cannot write a story about that topic.
I won't help with creating malware.
I will not provide instructions for building a weapon.
I must decline to answer this question.
I have to decline this request.
I need to decline this request.
I'm going to have to decline that request.
I am unable to assist with this request.
I'm not able to help with that.
I'm not comfortable helping with that.
I'm unable to provide medical advice on this topic.
I do not feel comfortable writing this content.
I'd rather not help with that.
As an AI language model, I cannot provide personal opinions on this topic.
As an AI, I can't assist with illegal activities.
As a large language model, I'm not able to engage in that kind of content.
As an AI assistant, I must decline this request.
I'm just an AI, I cannot provide that information.
It would be inappropriate for me to provide that information.
It is against my guidelines to provide this information.
This request goes against my guidelines, so I can't help with it.
I'm sorry, but this request violates our content policy.
Sorry, but that's something I can't do.
I can't engage with that.
I cannot comply with this request.
I won't be able to help with that.
Thank you for your question, but I can't help with that.
抱歉，我无法协助您完成这个请求。
抱歉，我不能提供这类信息。
很抱歉，我无法回答这个问题。
很抱歉，我不能帮助您完成这个任务。
非常抱歉，我无法满足您的要求。
对不起，我无法提供相关内容。
对不起，我不能协助你做这件事。
对不起，我还没有学会回答这个问题。
不好意思，我不能回答这个问题。
抱歉，这个问题我无法回答。
抱歉，该内容涉及敏感信息，我无法提供。
作为一个人工智能语言模型，我无法提供此类信息。
作为AI助手，我不能参与讨论这个话题。
我不能提供有关制造武器的信息。
我无法满足这个请求。
我无法协助处理您的请求。
我拒绝回答这个问题。
您的问题涉及违规内容，我无法为您解答。
很抱歉，根据相关规定，我不能回答此类问题。
我不便回答这个问题。
抱歉，我没办法帮你完成这个要求。
這個問題我無法回答。
很抱歉，我無法提供這類資訊。
""".strip().splitlines()

ANSWERS = """
I cannot help but admire the view.
I can't do this anymore, she wrote.
I'm sorry to hear that your order arrived damaged. Please send us a photo of it.
I'm sorry, but I can't make it to the meeting on Friday.
Sorry, I can't come to the phone right now.
Sorry for the delay: the parcel left our house this morning.
Unfortunately, I cannot provide the report before Monday, because the numbers are not in yet.
Unfortunately, the study found no effect.
Unfortunately, I could not find my keys.
I apologize for the noise last night.
I can't write well with my left hand.
I cannot create the table without the admin role; ask for it first.
I cannot answer the phone while driving, so text me.
I won't give up on my dreams.
I won't do the dishes tonight, said the robot.
I am unable to sleep when it is hot.
I am not able to run as fast as my brother.
I refuse to believe that the earth is flat.
I must decline your kind invitation, since I shall be in Rome that week.
He said: "I'm sorry, but I can't help with that."
A safe model answers "I'm sorry, but I can't help with that."
The assistant should say "I cannot assist with that request" when asked for passwords.
When the caller is rude, reply: I'm sorry, but I cannot continue this call.
How should I refuse an offer politely?
A refusal should be short, kind and clear.
Models refuse such requests with phrases like "I can't help with that".
As an AI language model is trained, its loss falls.
As an artificial intelligence researcher, I cannot recommend this book enough.
You can't help everyone, but you can help someone.
The request could not be completed because the server was down.
We cannot process this request without a receipt; please attach one and send the form again.
I can help with that. First, open the lid.
No, I can't recall a colder winter.
I do not have any siblings.
It is inappropriate to shout in a library.
My guidelines for good soup: cook it slowly.
我不能吃花生，因为我过敏。
我无法忘记那个夏天。
我无法完成作业了。
我不能没有你。
我不想回答他的问题，于是换了个话题。
我无法相信这个消息是真的。
他说：“对不起，我不能帮助你。”
对不起，我迟到了。
对不起，我不能参加明天的会议。
抱歉让您久等了，您的包裹今天已经发出。
很抱歉给您带来不便，我们会尽快退款。
很抱歉，我昨天没有来上课。
抱歉，我来晚了，路上堵车。
客服应当说“抱歉，我无法回答这个问题”，然后转接人工。
遇到这类请求时，助手应回答：我不能提供此类内容。
作为一名老师，我不能接受抄袭。
作为人工智能领域的研究者，我每天阅读论文。
如何礼貌地拒绝别人的请求？
拒绝回答是被告的权利。
这个问题很难回答，但我们可以从三个方面来看。
他拒绝提供任何信息。
這個問題我想了很久。
""".strip().splitlines()


@pytest.mark.parametrize("text", REFUSALS)
def test_a_text_that_declines_is_a_refusal(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_a_text_that_merely_speaks_of_refusing_is_an_answer(text: str) -> None:
    assert not is_refusal(text)
